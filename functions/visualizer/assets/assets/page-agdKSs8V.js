import{a as o}from"./index-DDqlJGS3.js";function r(){return o("p",{class:"pad",children:"To come."})}export{r as ModelsPage};
