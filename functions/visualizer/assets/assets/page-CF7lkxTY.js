import{a as o}from"./index-DDqlJGS3.js";function a(){return o("p",{class:"pad",children:"To come."})}export{a as PlatformPage};
