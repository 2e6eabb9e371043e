import{a as r}from"./index-DDqlJGS3.js";function a(){return r("p",{class:"pad",children:"To come."})}export{a as GraphPage};
